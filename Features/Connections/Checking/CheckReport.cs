using System.ComponentModel.DataAnnotations;
using Bellhop.Infrastructure.Http;

namespace Bellhop.Features.Connections.Checking;

/// <summary>What works of a connection.</summary>
/// <param name="Ok">Whether every step went well.</param>
/// <param name="Steps">In the order they were taken; after one that fails there is none.</param>
public sealed record CheckReport(bool Ok, [property: MaxLength(10)] IReadOnlyList<CheckStep> Steps)
    : IExampled<CheckReport>
{
    public static CheckReport Example =>
        new(
            false,
            [
                new CheckStep(StepName.Resolve, true, "crm.example.com is 93.184.215.14.", 0.012),
                new CheckStep(StepName.Connect, true, "Port 443 accepts connections.", 0.018),
                new CheckStep(StepName.Tls, true, "TLS 1.3; the certificate is valid for crm.example.com.", 0.031),
                new CheckStep(StepName.Request, false, "401: the secret was not accepted.", 0.044),
            ]
        );
}

/// <summary>One step of a check.</summary>
/// <param name="Detail">What was found; where it failed, what would be right. Never the secret.</param>
public sealed record CheckStep(
    [property: WordOf(typeof(StepName))] string Name,
    bool Ok,
    [property: MaxLength(CheckSteps.MaxDetail)] string Detail,
    [property: Range(0d, 60d)] double Seconds
);

/// <summary>The steps there are; each kind takes those that it needs.</summary>
public static class StepName
{
    public const string Resolve = "resolve";
    public const string Connect = "connect";
    public const string Greeting = "greeting";
    public const string Tls = "tls";
    public const string Token = "token";
    public const string Login = "login";
    public const string Query = "query";
    public const string Request = "request";
    public const string Model = "model";
    public const string List = "list";

    public static readonly IReadOnlyList<string> All =
    [
        Resolve,
        Connect,
        Greeting,
        Tls,
        Token,
        Login,
        Query,
        Request,
        Model,
        List,
    ];
}
