using System.Globalization;
using Bellhop.Infrastructure.Expressions;
using Bellhop.Infrastructure.Http;

namespace Bellhop.Features.Automations;

/// <summary>Everything that is wrong with a document, found in one go.</summary>
internal sealed class DocumentFaults
{
    private readonly List<FieldError> _errors = [];
    private bool _hasOthers;

    public void Add(string pointer, string code, string message)
    {
        _hasOthers = true;
        _errors.Add(FieldError.At(pointer, code, message));
    }

    /// <summary>An expression that does not compile; in a template, its own pointer leads on from <paramref name="pointer"/>.</summary>
    public void Add(string pointer, ExpressionError error) =>
        _errors.Add(
            FieldError.At(
                pointer + error.Pointer,
                error.Code,
                string.Create(
                    CultureInfo.InvariantCulture,
                    $"Line {error.Line}, column {error.Column}: {error.Message}{Hint(error)}"
                )
            ) with
            {
                Line = error.Line,
                Column = error.Column,
            }
        );

    private static string Hint(ExpressionError error) =>
        error.Code == ErrorCode.UnknownName
        && error.Message.Contains($"'{AutomationScope.Secrets}'", StringComparison.Ordinal)
            ? " Secrets stand only in the with of http and notify."
            : "";

    /// <summary>Compiles a condition; null where there is none, or it is wrong.</summary>
    public Expression? Compile(string? source, string pointer, Scope scope)
    {
        if (source is null)
        {
            return null;
        }

        var compiled = Expression.CompileCondition(source, scope);
        if (compiled.Succeeded)
        {
            return compiled.Value;
        }

        Add(pointer, compiled.Error);
        return null;
    }

    /// <summary>The answer to the author; null where nothing is wrong.</summary>
    public Problem? ToProblem()
    {
        if (_errors.Count == 0)
        {
            return null;
        }

        var kind = _hasOthers ? Problems.Invalid : AutomationProblems.ExpressionError;
        return kind.Because(
            _errors.Count == 1 ? _errors[0].Message : $"{_errors.Count} members are not valid.",
            [.. _errors]
        );
    }
}
