using System.ComponentModel.DataAnnotations;
using FluentValidation;

namespace Bellhop.Features.Jobs.Workers;

/// <summary>Who claims: one process, from its start to its end.</summary>
/// <param name="Id">Made by the worker at its start, and another one at the next: two that share it are taken for one.</param>
/// <param name="Name">1–100 characters, as people know it.</param>
/// <param name="Version">Of the program; up to 100 characters.</param>
/// <param name="Host">Where it runs; up to 200 characters.</param>
public sealed record WorkerDocument(
    Guid? Id,
    string? Name,
    [property: MaxLength(100)] string? Version = null,
    [property: MaxLength(200)] string? Host = null
);

/// <summary>What makes a worker's word about itself sound.</summary>
public sealed class WorkerRules : AbstractValidator<WorkerDocument>
{
    public WorkerRules()
    {
        RuleFor(worker => worker.Id).NotNull().NotEqual(Guid.Empty);
        RuleFor(worker => worker.Name).NotEmpty().MaximumLength(100);
        RuleFor(worker => worker.Version).MaximumLength(100);
        RuleFor(worker => worker.Host).MaximumLength(200);
    }
}

/// <summary>What a worker is to do from here on.</summary>
public static class Directive
{
    /// <summary>Claim and execute.</summary>
    public const string Run = "run";

    /// <summary>Claim no more, and finish what runs.</summary>
    public const string Quiet = "quiet";

    /// <summary>Claim no more, release what runs, and end.</summary>
    public const string Stop = "stop";

    public static readonly IReadOnlyList<string> All = [Run, Quiet, Stop];
}
