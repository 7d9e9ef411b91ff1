using System.Text;
using System.Text.Json;
using Bellhop.Infrastructure.Auth;
using Bellhop.Infrastructure.Http;
using Bellhop.Infrastructure.Mediation;
using Bellhop.Infrastructure.Outgoing;
using FluentValidation;

namespace Bellhop.Features.Connections;

/// <summary>What makes a document sound, beside its config and secret.</summary>
public sealed class ConnectionDocumentRules : AbstractValidator<ConnectionDocument>
{
    public ConnectionDocumentRules()
    {
        RuleFor(document => document.Name!).IsSlug();
        RuleFor(document => document.Kind).IsOneOf(ConnectionKind.All).WithErrorCode("unknown_kind");
        RuleFor(document => document.Config).NotNull();
        this.AreTags(document => document.Tags);
    }
}

/// <summary>A config in its place, so that what is wrong with it is pointed at there.</summary>
public sealed record Configured<TConfig>(TConfig Config);

/// <summary>Reads a document and says everything that is wrong with it.</summary>
internal sealed class ConnectionRules(AddressPolicy addresses)
{
    private readonly ConnectionDocumentRules _document = new();
    private readonly InlineValidator<Configured<HttpConfig>> _http = Whole(new HttpConfigRules(addresses));
    private readonly InlineValidator<Configured<DatabaseConfig>> _postgreSql = Whole(
        new PostgreSqlConfigRules(addresses)
    );
    private readonly InlineValidator<Configured<DatabaseConfig>> _mySql = Whole(new MySqlConfigRules(addresses));
    private readonly InlineValidator<Configured<SmtpConfig>> _smtp = Whole(new SmtpConfigRules(addresses));
    private readonly InlineValidator<Configured<S3Config>> _s3 = Whole(new S3ConfigRules(addresses));
    private readonly InlineValidator<Configured<LlmConfig>> _llm = Whole(new LlmConfigRules(addresses));

    /// <summary>The config; where its text is none of the kind, a 400 that points into it.</summary>
    public static Result<ConnectionConfig> ReadConfig(ConnectionDocument document)
    {
        try
        {
            return document.Kind switch
            {
                ConnectionKind.Http => Read<HttpConfig>(document),
                ConnectionKind.Smtp => Read<SmtpConfig>(document),
                ConnectionKind.S3 => Read<S3Config>(document),
                ConnectionKind.Llm => Read<LlmConfig>(document),
                _ => Read<DatabaseConfig>(document),
            };
        }
        catch (RefusedRequestException refused)
        {
            return refused.Problem;
        }
    }

    /// <summary>Everything that is wrong with the document; null: nothing.</summary>
    /// <param name="stored">What it replaces.</param>
    public Problem? Check(ConnectionDocument document, ConnectionView? stored)
    {
        var problem = ValidationProblem.Of(_document.Validate(document));
        if (problem?.Errors.Any(error => error.Pointer is "/kind" or "/config") is true)
        {
            return problem;
        }

        if (stored is not null && stored.Kind != document.Kind)
        {
            var message = $"This connection is of kind {stored.Kind}, and a kind stays: make another connection.";
            return Problems.Invalid.Because(message, FieldError.At("/kind", "kind_differs", message));
        }

        var config = ReadConfig(document);
        if (config.Problem is { } malformed)
        {
            return malformed;
        }

        FieldError[] errors =
        [
            .. problem?.Errors ?? [],
            .. CheckConfig(document.Kind!, config.Unwrap())?.Errors ?? [],
            .. CheckSecret(document, config.Unwrap(), stored),
        ];
        return errors.Length == 0
            ? null
            : Problems.Invalid.Because(
                errors.Length == 1 ? errors[0].Message : $"{errors.Length} members are not valid.",
                errors
            );
    }

    private Problem? CheckConfig(string kind, ConnectionConfig config) =>
        ValidationProblem.Of(
            config switch
            {
                HttpConfig http => _http.Validate(new Configured<HttpConfig>(http)),
                SmtpConfig smtp => _smtp.Validate(new Configured<SmtpConfig>(smtp)),
                S3Config s3 => _s3.Validate(new Configured<S3Config>(s3)),
                LlmConfig llm => _llm.Validate(new Configured<LlmConfig>(llm)),
                _ => (kind == ConnectionKind.MySql ? _mySql : _postgreSql).Validate(
                    new Configured<DatabaseConfig>((DatabaseConfig)config)
                ),
            }
        );

    private static IEnumerable<FieldError> CheckSecret(
        ConnectionDocument document,
        ConnectionConfig config,
        ConnectionView? stored
    )
    {
        if (SecretChoice.Read(document.Secret, out var choice) is { } fault)
        {
            yield return fault;
        }
        else if (choice.IsNone && config.NeedsSecret is true)
        {
            yield return FieldError.At(
                "/secret",
                "required",
                "A secret is required here: the name of one, {\"value\": \"…\"}, or {\"set\": true} to keep the connection's own."
            );
        }
        else if (!choice.IsNone && config.NeedsSecret is false)
        {
            var by = document.Kind == ConnectionKind.Http ? "auth" : "user";
            yield return FieldError.At(
                "/secret",
                "not_used",
                $"Without {by} in config a secret is not used: leave it out."
            );
        }
        else if (choice.Keeps && stored?.Secret is not { ValueKind: JsonValueKind.Object })
        {
            yield return FieldError.At(
                "/secret",
                "nothing_to_keep",
                "The connection has no secret of its own to keep: give the name of one, or {\"value\": \"…\"}."
            );
        }
        else if (choice.Value is { } value && !IsSendable(config, value))
        {
            yield return FieldError.At(
                "/secret/value",
                "invalid_secret",
                "It is sent in a header: 1 to 8000 printable ASCII characters."
            );
        }
    }

    // what is base64 on the wire may be any text
    private static bool IsSendable(ConnectionConfig config, string value) =>
        config is not (LlmConfig or HttpConfig { Auth.Type: HttpAuth.Header or HttpAuth.Bearer })
        || (value.Length <= 8000 && OutgoingHeaders.Check("Authorization", value) is null);

    private static Result<ConnectionConfig> Read<TConfig>(ConnectionDocument document)
        where TConfig : ConnectionConfig =>
        RequestBody
            .Parse<Configured<TConfig>>(Encoding.UTF8.GetBytes($"{{\"config\":{document.Config!.Value.GetRawText()}}}"))
            .Config;

    private static InlineValidator<Configured<TConfig>> Whole<TConfig>(AbstractValidator<TConfig> rules)
    {
        var whole = new InlineValidator<Configured<TConfig>>();
        whole.RuleFor(configured => configured.Config).SetValidator(rules);
        return whole;
    }
}
